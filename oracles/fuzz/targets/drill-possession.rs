//! The fuzz target `drill-possession`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("drill-possession");
