//! Behaviour of the dev chain, seen from outside.
