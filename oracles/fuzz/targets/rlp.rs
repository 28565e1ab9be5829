//! The fuzz target `rlp`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("rlp");
