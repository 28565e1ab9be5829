//! The fuzz target `mnemonic`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("mnemonic");
