//! HPKE sealing (RFC 9180) with a label and a context.
