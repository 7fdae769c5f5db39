(* Exceptions, closures, a collection, and threads where the toplevel has them. *)
let dir = Sys.getenv "STEP_DIR"
let step n =
  let f = open_out (dir ^ "/ready.new") in
  output_string f (string_of_int n);
  close_out f;
  Sys.rename (dir ^ "/ready.new") (dir ^ "/ready");
  let rec wait () =
    if Sys.file_exists (dir ^ "/go." ^ string_of_int n) then true
    else if Sys.file_exists (dir ^ "/end") then false
    else wait () in
  wait ()
let table = Hashtbl.create 100
let rec run n =
  if step n then begin
    for i = 1 to 20000 do Hashtbl.replace table (i * n) (string_of_int (i + n)) done;
    Gc.compact ();
    Printf.printf "%d %d %s\n%!" n (Hashtbl.length table) (try Hashtbl.find table (77 * n) with Not_found -> "missing");
    run (n + 1)
  end
let () = run 1
