//! The fuzz target `policy-request`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("policy-request");
