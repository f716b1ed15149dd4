# Sidekiq, tuned: 10 threads in each process, no line of log for every job, no word about old Redis calls.
require 'sidekiq'

$stdout.sync = true
Redis.silence_deprecations = true
Sidekiq.logger.level = Logger::WARN
Sidekiq.configure_client { |config| config.redis = { url: ENV['REDIS_URL'] } }
Sidekiq.configure_server { |config| config.redis = { url: ENV['REDIS_URL'] } }

def now = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)

# Counts jobs as they run and says how many, ten times a second.
class Counter
  def initialize
    @lock = Mutex.new
    @count = @first = @last = 0
  end

  def ran
    @lock.synchronize do
      @last = now
      @first = @last if @count.zero?
      @count += 1
    end
  end

  def tell
    Thread.new do
      told = 0
      loop do
        sleep 0.1
        next if told == @count
        told = @count
        @lock.synchronize { puts "ran #{@count} #{@first} #{@last}" }
      end
    end
  end
end

class Noop
  include Sidekiq::Worker
  COUNTER = Counter.new

  def perform(sent = nil)
    COUNTER.ran
    puts "late #{now - sent}" if sent
  end
end

if Sidekiq.server?
  Noop::COUNTER.tell
  Sidekiq.configure_server { |config| config.on(:startup) { puts 'ready' } }
else
  deed, *rest = ARGV
  numbers = rest.map(&:to_i)
  case deed
  when 'name'
    puts "Sidekiq #{Sidekiq::VERSION}"
  when 'prepare'
    puts 'done'
  when 'enqueue'
    jobs, a_call, at_once = numbers
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    at_once.times.map do |caller|
      Thread.new do
        (caller * a_call...jobs).step(a_call * at_once) do |from|
          Sidekiq::Client.push_bulk('class' => Noop, 'args' => [[]] * [a_call, jobs - from].min)
        end
      end
    end.each(&:join)
    puts "seconds #{Process.clock_gettime(Process::CLOCK_MONOTONIC) - began}", 'done'
  when 'send'
    jobs, pause_ms = numbers
    jobs.times do
      Noop.perform_async(now)
      sleep pause_ms / 1000.0
    end
    puts 'done'
  when 'work'
    exec 'sidekiq', '-c', '10', '-q', 'default', '-r', File.expand_path(__FILE__)
  end
end
