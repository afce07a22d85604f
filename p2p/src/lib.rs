//! Exchange bounded messages with authenticated peers.
