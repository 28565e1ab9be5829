//! JSON twins of the signed objects, for eyes.
