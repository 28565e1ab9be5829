//! The fuzz target `genesis`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("genesis");
