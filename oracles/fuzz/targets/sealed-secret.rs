//! The fuzz target `sealed-secret`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("sealed-secret");
