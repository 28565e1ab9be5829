//! The fuzz target `chain-text`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("chain-text");
