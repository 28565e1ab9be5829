//! The fuzz target `wallet`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("wallet");
