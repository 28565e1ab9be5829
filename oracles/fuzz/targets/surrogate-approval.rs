//! The fuzz target `surrogate-approval`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("surrogate-approval");
