# frozen_string_literal: true

require 'json'
require 'digest'

module Wood
  Order = Struct.new(:good, :price, keyword_init: true)

  class Agent
    attr_reader :orders

    def initialize(secret: ENV.fetch('CLIENT_SECRET', nil))
      @secret = secret
      @orders = Hash.new { |hash, good| hash[good] = [] }
    end

    def add(good, price) = @orders[good] << Order.new(good:, price:)
    def to_json(*) = JSON.pretty_generate(@orders.transform_values { |all| all.sum(&:price).round(2) })
  end
end

agent = Wood::Agent.new
agent.add('acorns', 3.5)
puts agent.to_json, Digest::SHA256.hexdigest('acorns')[0, 16], "#{Process.clock_gettime(Process::CLOCK_MONOTONIC)}"
