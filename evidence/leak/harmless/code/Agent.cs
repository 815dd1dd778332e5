using System.Text.Json;
using System.Text.Json.Serialization;

namespace Acme.Agents;

public sealed record Order([property: JsonPropertyName("good")] string Good, decimal Price, int Quantity = 1);

[Guid("3F2504E0-4F89-11D3-9A0C-0305E82C3301")]
public static class Program
{
    private static readonly string? Password = Environment.GetEnvironmentVariable("DB_PASSWORD");

    public static async Task Main()
    {
        var orders = new[] { new Order("acorns", 3.50m), new Order("honey", 12.00m, 2) };
        await Console.Out.WriteLineAsync(JsonSerializer.Serialize(orders[^1..]));
        Console.WriteLine($"{orders.Sum(o => o.Price * o.Quantity):F2} {Password?.Length ?? 0} {global::System.DateTime.UtcNow:O}");
    }
}
