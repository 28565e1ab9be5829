//! The fuzz target `request`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("request");
