//! The fuzz target `delegation`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("delegation");
