//! The groups of operations.

pub const CALLS: &str = "Calls";
pub const PRICES: &str = "Prices";
pub const NOTIFICATIONS: &str = "Notifications";
pub const POLICIES: &str = "Policies";
pub const OPERATORS: &str = "Operators";
pub const DASHBOARDS: &str = "Dashboards";
