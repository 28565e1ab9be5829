//! The fuzz target `link`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("link");
