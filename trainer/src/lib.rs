//! Train one stage of a model and produce updates that others can check.
