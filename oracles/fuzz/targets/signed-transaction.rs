//! The fuzz target `signed-transaction`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-transaction");
