//! The fuzz target `stamp`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("stamp");
