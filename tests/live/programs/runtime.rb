# Threads, a fiber and a pipe to a child process.
DIR = ENV["STEP_DIR"]
def step(n)
  File.write(DIR + "/ready.new", n.to_s)
  File.rename(DIR + "/ready.new", DIR + "/ready")
  until File.exist?(DIR + "/go.#{n}")
    return false if File.exist?(DIR + "/end")
    sleep 0.002
  end
  true
end
numbers = Fiber.new { a, b = 0, 1; loop { Fiber.yield a; a, b = b, a + b } }
queue, sums = Queue.new, Queue.new
threads = 3.times.map { Thread.new { while (x = queue.pop) != :end do sums << (1..x).sum end } }
cat = IO.popen("cat", "r+")
n = 1
while step(n)
  5.times { |i| queue << 1000 * n + i }
  cat.puts "line #{n}"
  puts "#{n} #{5.times.map { sums.pop }.sort} #{numbers.resume} #{cat.gets} #{2**(100 * n)}"
  GC.start
  n += 1
end
threads.each { queue << :end }
threads.each(&:join)
cat.close
