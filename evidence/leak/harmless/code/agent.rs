use std::collections::HashMap;
use std::fmt::{self, Display};

#[derive(Debug, Clone, PartialEq)]
pub enum Order { Buy { good: String, price: f64 }, Sell(String) }

impl Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buy { good, price } => write!(f, "buy {good} at {price:.2}"),
            Self::Sell(good) => write!(f, "sell {good}"),
        }
    }
}

pub fn decode(bytes: &[u8]) -> Result<u8, std::num::ParseIntError> {
    let text = String::from_utf8_lossy(bytes);
    u8::from_str_radix(text.trim(), 16).or_else(|_| text.parse::<u8>())
}

fn main() {
    let mut prices: HashMap<&str, f64> = HashMap::with_capacity(1_024);
    prices.insert("acorns", std::f64::consts::E * 0xdead_beef_u32 as f64);
    println!("{:?} {}", prices.get("acorns").copied().unwrap_or_default(), Order::Sell("fade::cafe".into()));
}
