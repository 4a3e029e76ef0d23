//! The contract in `wit/`, as Rust.
//!
//! The generator would repeat for each world what the worlds share. So it is given the same
//! interfaces in smaller worlds: one with what all policies have in common, and one for each kind
//! that adds to it. A component that exports the first and one of the others is, put together,
//! exactly what the contract's own world asks for.

#![allow(missing_docs, unreachable_pub, reason = "generated from wit/, documented there")]

pub mod common {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tollgate:plugin-common;
            world common {
                import tollgate:policy/types@0.1.0;
                import tollgate:policy/logging@0.1.0;
                export tollgate:policy/lifecycle@0.1.0;
            }
        ",
        with: {
            "tollgate:policy/types@0.1.0": generate,
            "tollgate:policy/types@0.1.0/decimal": crate::Decimal,
            "tollgate:policy/logging@0.1.0": generate,
        },
        generate_unused_types: true,
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
    });
}

pub mod tier {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tollgate:plugin-tier;
            world tier {
                export tollgate:policy/tiers@0.1.0;
                export tollgate:policy/verdict-scope@0.1.0;
            }
        ",
        with: {
            "tollgate:policy/types@0.1.0": crate::bindings::common::tollgate::policy::types,
            "tollgate:policy/types@0.1.0/decimal": crate::Decimal,
        },
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
    });
}

pub mod pricing {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tollgate:plugin-pricing;
            world pricing {
                export tollgate:policy/prices@0.1.0;
                export tollgate:policy/price-terms@0.1.0;
                export tollgate:policy/price-wishes@0.1.0;
                export tollgate:policy/coded-prices@0.1.0;
                export tollgate:policy/call-rates@0.1.0;
            }
        ",
        with: {
            "tollgate:policy/types@0.1.0": crate::bindings::common::tollgate::policy::types,
            "tollgate:policy/types@0.1.0/decimal": crate::Decimal,
        },
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
    });
}

pub mod alert {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tollgate:plugin-alert;
            world alert {
                export tollgate:policy/alerts@0.1.0;
                export tollgate:policy/advice@0.1.0;
                export tollgate:policy/quiet-alerts@0.1.0;
            }
        ",
        with: {
            "tollgate:policy/types@0.1.0": crate::bindings::common::tollgate::policy::types,
            "tollgate:policy/types@0.1.0/decimal": crate::Decimal,
        },
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
    });
}

pub mod adjustment {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tollgate:plugin-adjustment;
            world adjustment { export tollgate:policy/adjustments@0.1.0; }
        ",
        with: {
            "tollgate:policy/types@0.1.0": crate::bindings::common::tollgate::policy::types,
            "tollgate:policy/types@0.1.0/decimal": crate::Decimal,
        },
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
    });
}
