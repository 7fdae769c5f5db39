%% Processes that send messages, timers, an ETS table, a port to another program, and all the schedulers.
-module(runtime).
-export([main/0]).

step(N) ->
    Dir = os:getenv("STEP_DIR"),
    ok = file:write_file(Dir ++ "/ready.new", integer_to_list(N)),
    ok = file:rename(Dir ++ "/ready.new", Dir ++ "/ready"),
    wait(Dir ++ "/go." ++ integer_to_list(N), Dir ++ "/end").

wait(Go, End) ->
    case {filelib:is_regular(Go), filelib:is_regular(End)} of
        {true, _} -> true;
        {_, true} -> false;
        _ -> timer:sleep(2), wait(Go, End)
    end.

ring(Next) -> receive {token, N} -> Next ! {token, N + 1}, ring(Next) end.

main() ->
    ets:new(table, [named_table, public]),
    Self = self(),
    Ring = lists:foldl(fun(_, Next) -> spawn_link(fun() -> ring(Next) end) end, Self, lists:seq(1, 2000)),
    Port = open_port({spawn, "cat"}, [stream, use_stdio]),
    spawn_link(fun() -> ticks(0) end),
    run(1, Ring, Port),
    halt(0, [{flush, true}]).

ticks(N) -> ets:insert(table, {ticks, N}), timer:sleep(1), ticks(N + 1).

run(N, Ring, Port) ->
    case step(N) of
        true ->
            Ring ! {token, 0},
            Count = receive {token, C} -> C end,
            port_command(Port, "line " ++ integer_to_list(N)),
            Line = receive {Port, {data, D}} -> D end,
            [ets:insert(table, {{I, N}, I * N}) || I <- lists:seq(1, 5000)],
            Sum = lists:sum([rpc_sum(I) || I <- [1, 2, 3, 4]]),
            [{ticks, Before}] = ets:lookup(table, ticks),
            later(Before),
            io:format("~p ~p ~s ~p ~p~n", [N, Count, Line, ets:info(table, size), Sum]),
            run(N + 1, Ring, Port);
        false -> ok
    end.

later(Before) -> case ets:lookup(table, ticks) of [{ticks, Now}] when Now > Before -> ok; _ -> timer:sleep(1), later(Before) end.

rpc_sum(I) ->
    Self = self(),
    spawn(fun() -> Self ! {sum, lists:sum(lists:seq(1, I * 10000))} end),
    receive {sum, S} -> S end.
