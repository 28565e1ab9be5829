//! The fuzz target `drill-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("drill-record");
