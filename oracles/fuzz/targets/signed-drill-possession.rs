//! The fuzz target `signed-drill-possession`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-drill-possession");
