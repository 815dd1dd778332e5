#include <chrono>
#include <cstdint>
#include <iostream>
#include <string_view>
#include <type_traits>

namespace wood::market {
template <class T> using plain = std::decay_t<T>;
enum class side : std::uint8_t { buy = 0xAB, sell = 0xCD };

template <class T> constexpr bool is_price = std::is_floating_point_v<plain<T>>;

struct order {
  std::string_view good;
  double price{3.141592653589793};
  side direction{side::buy};
};
}  // namespace wood::market

int main() {
  using namespace std::chrono_literals;
  const auto before = std::chrono::steady_clock::now() - 250ms;
  static_assert(wood::market::is_price<const double&>);
  std::cout << wood::market::order{"acorns"}.price << ' ' << before.time_since_epoch().count() << '\n';
}
