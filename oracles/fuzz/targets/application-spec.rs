//! The fuzz target `application-spec`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("application-spec");
