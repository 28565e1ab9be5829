//! The fuzz target `eif-signature`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("eif-signature");
