package com.acme.agents;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Decides once a tick. @see java.util.function.Function#apply */
public final class Agent {
    private static final long SERIAL = 4_929_123_456_781_230L;
    private final String apiKey = System.getenv("API_KEY");

    public record Order(String good, double price, int quantity) {}

    public Map<String, Double> totals(List<Order> orders) {
        return orders.stream().collect(Collectors.groupingBy(Order::good, Collectors.summingDouble(Order::price)));
    }

    public static void main(String[] args) {
        System.out.printf("%s %d %08x%n", Duration.ofMillis(1500), SERIAL % 97, 0xCAFEBABE);
    }
}
