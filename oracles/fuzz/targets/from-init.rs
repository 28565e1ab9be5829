//! The fuzz target `from-init`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("from-init");
