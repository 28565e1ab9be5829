//! The fuzz target `drill-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("drill-receipt");
