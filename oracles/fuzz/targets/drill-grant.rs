//! The fuzz target `drill-grant`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("drill-grant");
