//! The fuzz target `egress-request-frames`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("egress-request-frames");
