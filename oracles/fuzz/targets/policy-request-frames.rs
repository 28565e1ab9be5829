//! The fuzz target `policy-request-frames`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("policy-request-frames");
