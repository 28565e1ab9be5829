//! The fuzz target `forward-confirmation`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("forward-confirmation");
