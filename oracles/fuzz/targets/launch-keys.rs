//! The fuzz target `launch-keys`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("launch-keys");
