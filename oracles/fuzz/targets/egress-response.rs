//! The fuzz target `egress-response`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("egress-response");
