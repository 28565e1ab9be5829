//! The fuzz target `genesis-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("genesis-record");
