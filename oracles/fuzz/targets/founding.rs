//! The fuzz target `founding`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("founding");
