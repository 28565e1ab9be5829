//! The fuzz target `policy-response`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("policy-response");
