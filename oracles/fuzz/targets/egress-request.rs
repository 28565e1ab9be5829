//! The fuzz target `egress-request`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("egress-request");
