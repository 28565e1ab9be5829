//! The fuzz target `unsigned-transaction`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("unsigned-transaction");
