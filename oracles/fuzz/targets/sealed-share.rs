//! The fuzz target `sealed-share`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("sealed-share");
