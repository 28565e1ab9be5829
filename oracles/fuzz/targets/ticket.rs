//! The fuzz target `ticket`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("ticket");
