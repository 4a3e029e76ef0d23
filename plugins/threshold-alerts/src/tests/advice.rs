use tollgate_plugin::advice::{
    Advice, Alternative, Model, ModelUse, Month, Offer, OfferedQuota, Outlook,
};
use tollgate_plugin::{AlertPolicy, Decimal};

use super::{reading, shipped};

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn model(provider: &str, model: &str) -> Model {
    Model { provider: provider.into(), model: Some(model.into()) }
}

/// A use of Gemini 2.5 Pro that cost so much, and what Flash would have cost.
fn pro(cost: &str, flash: &str) -> ModelUse {
    let by = model("gemini", "gemini-2.5-flash");
    ModelUse {
        of: model("gemini", "gemini-2.5-pro"),
        events: 10.into(),
        usage: Vec::new(),
        cost: decimal(cost),
        today: Some(decimal(cost)),
        alternatives: vec![Alternative { by, cost: decimal(flash) }],
    }
}

fn month(period: &str, passed_percent: u32, uses: Vec<ModelUse>) -> Month {
    Month { period: period.into(), passed_percent, uses }
}

/// A plan that limits calls, of which so many would have been used this month and last.
fn offer(plan: &str, price: u32, limit: Option<u32>, used: [u32; 2]) -> Offer {
    Offer {
        plan: plan.into(),
        name: plan.to_uppercase(),
        price_monthly: price.into(),
        price_yearly: (10 * price).into(),
        features: Vec::new(),
        sells_all_used: true,
        quotas: vec![OfferedQuota {
            name: "gemini_calls".into(),
            meter: "calls".into(),
            window: "month".into(),
            limit: limit.map(Decimal::from),
            used: used.map(Decimal::from).into(),
        }],
    }
}

/// Half of a month and all of another, on the plan `pro`.
fn outlook(now: u32, before: u32) -> Outlook {
    let offers = [("free", 0, Some(100)), ("basic", 29, Some(1_000)), ("pro", 79, Some(5_000))];
    let offers = offers.into_iter().chain([("enterprise", 199, None)]);
    Outlook {
        subject: "user123".into(),
        readings: vec![reading("gemini_calls", "calls", &now.to_string(), "5000")],
        months: vec![month("2026-06", 50, vec![]), month("2026-05", 100, vec![pro("0.5", "0.1")])],
        plan: Some("pro".into()),
        billing_cycle: "monthly".into(),
        offers: offers
            .map(|(plan, price, limit)| offer(plan, price, limit, [now, before]))
            .collect(),
    }
}

fn advised(outlook: &Outlook) -> Vec<(String, Option<String>)> {
    let advice = shipped().advise(outlook);
    advice.into_iter().map(|advice| (advice.kind, advice.plan)).collect()
}

fn plan(kind: &str, plan: &str) -> Vec<(String, Option<String>)> {
    vec![(kind.into(), Some(plan.into()))]
}

#[test]
fn what_may_serve_instead_is_the_operators_word() {
    let metaphor = Model { provider: "metaphor".into(), model: None };
    let used = [
        model("gemini", "gemini-2.5-pro"),
        model("gemini", "gemini-3-pro"),
        model("openai", "gpt-4o-2024-08-06"),
        metaphor,
    ];
    let named: Vec<_> = shipped()
        .candidates(&used)
        .into_iter()
        .map(|it| (it.instead_of, it.by.provider, it.by.model.unwrap_or_default()))
        .collect();
    let named: Vec<_> = named.iter().map(|(of, by, model)| (*of, &**by, &**model)).collect();
    assert_eq!(
        named,
        [
            (0, "gemini", "gemini-2.5-flash"),
            (2, "openai", "gpt-4o-mini"),
            (3, "tavily", ""),
            (3, "serper", ""),
        ]
    );
}

#[test]
fn a_cheaper_model_is_advised_with_what_it_would_have_saved() {
    let with = |months: [ModelUse; 2]| {
        let mut outlook = outlook(600, 1_000);
        for (month, used) in outlook.months.iter_mut().zip(months) {
            month.uses = vec![used];
        }
        let cheaper = |it: &Advice| it.kind == "cheaper_model";
        shipped().advise(&outlook).into_iter().filter(cheaper).collect::<Vec<_>>()
    };
    let advice = with([pro("30", "3"), pro("12.5", "1.5625")]);
    assert_eq!(advice.len(), 1, "once for each model: {advice:?}");
    assert_eq!(advice[0].by, Some(model("gemini", "gemini-2.5-flash")));
    assert_eq!(advice[0].saving, Some(decimal("10.9375")));
    assert_eq!(advice[0].title, "gemini-2.5-flash costs less than gemini-2.5-pro");
    assert_eq!(
        advice[0].message,
        "user123 used gemini-2.5-pro for 12.5 USD in 2026-05. gemini-2.5-flash would have cost \
         1.5625 USD for the same use: 10.9375 USD less."
    );
    let advice = with([pro("30", "3"), pro("1", "0.5")]);
    assert!(advice[0].message.contains("so far in 2026-06"), "{advice:?}");
    // Less than a dollar, or less than a quarter.
    assert_eq!(with([pro("1", "0.01"), pro("100", "75.01")]), []);
    assert_eq!(with([pro("1", "2"), pro("10", "20")]), []);
}

#[test]
fn who_paid_less_than_todays_price_would_have_saved_less() {
    let mut outlook = outlook(600, 1_000);
    outlook.months[1].uses = vec![ModelUse { today: Some(decimal("8")), ..pro("12", "2") }];
    assert_eq!(shipped().advise(&outlook)[0].saving, Some(decimal("6")));
    outlook.months[1].uses = vec![ModelUse { today: Some(decimal("12")), ..pro("8", "2") }];
    assert_eq!(shipped().advise(&outlook)[0].saving, Some(decimal("6")));
}

#[test]
fn a_larger_plan_is_the_cheapest_that_has_room() {
    let mut near = outlook(4_000, 1_000);
    assert_eq!(advised(&near), plan("upgrade_plan", "enterprise"));
    let advice = shipped().advise(&near);
    assert_eq!(
        advice[0].message,
        "user123 on the plan pro used 4000 of 5000 calls this month (gemini_calls). ENTERPRISE has \
         room for that, for 199 USD a month."
    );
    near.offers.insert(3, offer("team", 99, Some(6_000), [4_000, 1_000]));
    assert_eq!(advised(&near), plan("upgrade_plan", "team"));
    near.offers[3] = offer("team", 99, Some(4_500), [4_000, 1_000]);
    assert_eq!(advised(&near), plan("upgrade_plan", "enterprise"), "it has less than pro");
    near.offers[3] = offer("team", 79, Some(6_000), [4_000, 1_000]);
    assert_eq!(advised(&near), plan("switch_plan", "team"), "it costs no more");
    near.offers[3].sells_all_used = false;
    assert_eq!(advised(&near), plan("upgrade_plan", "enterprise"));
}

#[test]
fn where_no_plan_is_larger_that_is_said() {
    let mut near = outlook(4_000, 1_000);
    near.offers.pop();
    assert_eq!(advised(&near), [("no_larger_plan".into(), None)]);
    near.plan = None;
    assert_eq!(advised(&near), [("upgrade_plan".into(), None)]);
}

#[test]
fn a_smaller_plan_is_advised_where_it_would_have_been_enough() {
    let small = outlook(250, 500);
    assert_eq!(advised(&small), plan("downgrade_plan", "basic"));
    let advice = shipped().advise(&small);
    assert_eq!(advice[0].saving, Some(50.into()));
    assert_eq!(
        advice[0].message,
        "user123 pays 79 USD a month for PRO. BASIC, for 29 USD a month, would have been enough in \
         2026-05 and so far in 2026-06: at most 500 of 1000 calls (gemini_calls)."
    );
    // 60 % of the limit is too much; and so is 30 % of it in half a month.
    assert_eq!(advised(&outlook(250, 600)), []);
    assert_eq!(advised(&outlook(300, 500)), []);
    let mut new = outlook(250, 0);
    new.months[1].uses.clear();
    assert_eq!(advised(&new), [], "nothing is known of a whole month");
}

#[test]
fn a_smaller_plan_says_what_it_lacks_and_what_a_year_costs() {
    let mut small = outlook(250, 500);
    small.billing_cycle = "yearly".into();
    small.offers[2].features = vec!["white_label".into()];
    let advice = shipped().advise(&small);
    assert_eq!(advice[0].saving, Some(500.into()));
    assert!(advice[0].message.ends_with(" It has no white_label."), "{advice:?}");
    assert!(advice[0].message.contains("290 USD a year"), "{advice:?}");
}

#[test]
fn what_is_not_kept_of_a_use_must_not_be_limited_more_than_now() {
    let burst = |limit: u32| OfferedQuota {
        name: "burst".into(),
        meter: "calls".into(),
        window: "minute".into(),
        limit: Some(limit.into()),
        used: vec![],
    };
    let mut small = outlook(250, 500);
    small.offers[1].quotas.push(burst(10));
    assert_eq!(advised(&small), [], "pro has no such limit");
    small.offers[2].quotas.push(burst(20));
    assert_eq!(advised(&small), []);
    small.offers[1].quotas[1] = burst(20);
    assert_eq!(advised(&small), plan("downgrade_plan", "basic"));
}
