//! The fuzz target `egress-response-frames`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("egress-response-frames");
