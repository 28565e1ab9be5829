//! The fuzz target `es256`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("es256");
