;; What searches of a clipping range ask of a histogram, hundreds of times: its squared error under a range, and its codes.
;; Compiled at once where a script runs uncompiled at first, which was most of a short calibration. The order of every
;; sum is that of the scalar reference (ranges/histogram-error.ts), so both give the same bits.
;;
;; Built by scripts/build-kernels.mjs into range-error-binary.ts.
(module
  (import "host" "memory" (memory 1))

  ;; float64 arrays of up to 8192 elements: counts of a histogram at 0; of its occupied bins lower ends at 65536, widths
  ;; at 131072, counts at 196608, centres at 262144; sums of count * centre^0, ^1 and ^2 of the bins before at 327680,
  ;; 393280 and 458880.

  (global $bins (mut i32) (i32.const 0))
  (global $width (mut f64) (f64.const 0))

  ;; Takes the bins in: bin i of n covers [first + i, first + i + 1) * width, cut to [min, max]. Empty ones and those
  ;; beyond the magnitude farthest are left out.
  (func (export "prepare") (param $n i32) (param $first f64) (param $size f64) (param $min f64) (param $max f64)
    (param $farthest f64)
    (local $i i32) (local $at i32) (local $count f64) (local $low f64) (local $from f64) (local $to f64) (local $x f64)
    (local $zeroth f64) (local $one f64) (local $two f64)
    (global.set $width (local.get $size))
    (f64.store offset=327680 (i32.const 0) (f64.const 0))
    (f64.store offset=393280 (i32.const 0) (f64.const 0))
    (f64.store offset=458880 (i32.const 0) (f64.const 0))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $count (f64.load (i32.shl (local.get $i) (i32.const 3))))
        (local.set $x (f64.add (local.get $first) (f64.convert_i32_u (local.get $i))))
        (local.set $low (f64.mul (local.get $x) (local.get $size)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (f64.eq (local.get $count) (f64.const 0)))
        (br_if $next (f64.gt (local.get $low) (local.get $farthest)))
        (br_if $next
          (f64.lt
            (f64.mul (f64.add (local.get $x) (f64.const 1)) (local.get $size))
            (f64.neg (local.get $farthest))))
        (local.set $from (f64.max (local.get $low) (local.get $min)))
        (local.set $to (f64.min (f64.add (local.get $low) (local.get $size)) (local.get $max)))
        (local.set $x (f64.div (f64.add (local.get $from) (local.get $to)) (f64.const 2)))
        (f64.store offset=65536 (local.get $at) (local.get $from))
        (f64.store offset=131072 (local.get $at) (f64.sub (local.get $to) (local.get $from)))
        (f64.store offset=196608 (local.get $at) (local.get $count))
        (f64.store offset=262144 (local.get $at) (local.get $x))
        (local.set $zeroth (f64.add (local.get $zeroth) (local.get $count)))
        (local.set $one (f64.add (local.get $one) (f64.mul (local.get $count) (local.get $x))))
        (local.set $two
          (f64.add (local.get $two) (f64.mul (f64.mul (local.get $count) (local.get $x)) (local.get $x))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (f64.store offset=327680 (local.get $at) (local.get $zeroth))
        (f64.store offset=393280 (local.get $at) (local.get $one))
        (f64.store offset=458880 (local.get $at) (local.get $two))
        (br $next)))
    (global.set $bins (i32.shr_u (local.get $at) (i32.const 3))))

  ;; Bytes into the arrays of the first bin whose centre does not lie below x.
  (func $before (param $x f64) (result i32)
    (local $from i32) (local $to i32) (local $middle i32)
    (local.set $to (global.get $bins))
    (block $done
      (loop $halve
        (br_if $done (i32.ge_u (local.get $from) (local.get $to)))
        (local.set $middle (i32.shr_u (i32.add (local.get $from) (local.get $to)) (i32.const 1)))
        (if (f64.lt (f64.load offset=262144 (i32.shl (local.get $middle) (i32.const 3))) (local.get $x))
          (then (local.set $from (i32.add (local.get $middle) (i32.const 1))))
          (else (local.set $to (local.get $middle))))
        (br $halve)))
    (i32.shl (local.get $from) (i32.const 3)))

  ;; Sum of count * (centre - end)^2 over bins [from, to), from prefixes.
  (func $beyond (param $from i32) (param $to i32) (param $end f64) (result f64)
    (local $count f64) (local $sum f64)
    (local.set $count
      (f64.sub (f64.load offset=327680 (local.get $to)) (f64.load offset=327680 (local.get $from))))
    (local.set $sum
      (f64.sub (f64.load offset=393280 (local.get $to)) (f64.load offset=393280 (local.get $from))))
    (f64.add
      (f64.sub
        (f64.sub (f64.load offset=458880 (local.get $to)) (f64.load offset=458880 (local.get $from)))
        (f64.mul (f64.mul (f64.const 2) (local.get $end)) (local.get $sum)))
      (f64.mul (f64.mul (local.get $end) (local.get $end)) (local.get $count))))

  ;; Points that a bin of a width is split into: four per step, one to eight.
  (func $points (param $size f64) (param $scale f64) (result f64)
    (f64.min
      (f64.max (f64.ceil (f64.div (f64.mul (f64.const 4) (local.get $size)) (local.get $scale))) (f64.const 1))
      (f64.const 8)))

  ;; One bin at or beyond an end of the range; at in bytes.
  (func $clipped (param $at i32) (param $lowest f64) (param $highest f64) (param $scale f64) (result f64)
    (local $low f64) (local $size f64) (local $count f64) (local $points f64) (local $point f64) (local $x f64)
    (local $sum f64)
    (local.set $low (f64.load offset=65536 (local.get $at)))
    (local.set $size (f64.load offset=131072 (local.get $at)))
    (local.set $count (f64.load offset=196608 (local.get $at)))
    (if (i32.or
          (f64.gt (local.get $low) (local.get $highest))
          (f64.lt (f64.add (local.get $low) (local.get $size)) (local.get $lowest)))
      (then
        (local.set $x (f64.load offset=262144 (local.get $at)))
        (local.set $x
          (select
            (f64.sub (local.get $x) (local.get $highest))
            (f64.sub (local.get $lowest) (local.get $x))
            (f64.gt (local.get $x) (local.get $highest))))
        (return (f64.mul (f64.mul (local.get $count) (local.get $x)) (local.get $x)))))
    (local.set $points (call $points (local.get $size) (local.get $scale)))
    (block $done
      (loop $next
        (br_if $done (f64.ge (local.get $point) (local.get $points)))
        (local.set $x
          (f64.add
            (local.get $low)
            (f64.div (f64.mul (local.get $size) (f64.add (local.get $point) (f64.const 0.5))) (local.get $points))))
        (local.set $x
          (f64.sub
            (local.get $x)
            (f64.min
              (f64.max
                (f64.mul (f64.nearest (f64.div (local.get $x) (local.get $scale))) (local.get $scale))
                (local.get $lowest))
              (local.get $highest))))
        (local.set $sum (f64.add (local.get $sum) (f64.mul (local.get $x) (local.get $x))))
        (local.set $point (f64.add (local.get $point) (f64.const 1)))
        (br $next)))
    (f64.div (f64.mul (local.get $sum) (local.get $count)) (local.get $points)))

  ;; Sum of count * e^2 over bins [from, to), e in steps: in four sums of every fourth bin, the last few in the first.
  (func $rounded (param $from i32) (param $to i32) (param $points f64) (param $perScale f64) (result f64)
    (local $total f64) (local $point f64) (local $share v128) (local $factor v128) (local $at i32) (local $end i32)
    (local $x v128) (local $y v128) (local $even v128) (local $odd v128) (local $one f64)
    (local.set $factor (f64x2.splat (local.get $perScale)))
    (local.set $end
      (i32.add (local.get $from) (i32.and (i32.sub (local.get $to) (local.get $from)) (i32.const -32))))
    (block $done
      (loop $next
        (br_if $done (f64.ge (local.get $point) (local.get $points)))
        (local.set $share
          (f64x2.splat (f64.div (f64.add (local.get $point) (f64.const 0.5)) (local.get $points))))
        (local.set $at (local.get $from))
        (local.set $even (v128.const f64x2 0 0))
        (local.set $odd (v128.const f64x2 0 0))
        (block $vectors
          (loop $four
            (br_if $vectors (i32.ge_u (local.get $at) (local.get $end)))
            (if (f64.eq (local.get $points) (f64.const 1))
              (then
                (local.set $x (v128.load offset=262144 (local.get $at)))
                (local.set $y (v128.load offset=262160 (local.get $at))))
              (else
                (local.set $x
                  (f64x2.add
                    (v128.load offset=65536 (local.get $at))
                    (f64x2.mul (local.get $share) (v128.load offset=131072 (local.get $at)))))
                (local.set $y
                  (f64x2.add
                    (v128.load offset=65552 (local.get $at))
                    (f64x2.mul (local.get $share) (v128.load offset=131088 (local.get $at)))))))
            (local.set $x (f64x2.mul (local.get $x) (local.get $factor)))
            (local.set $y (f64x2.mul (local.get $y) (local.get $factor)))
            (local.set $x (f64x2.sub (local.get $x) (f64x2.nearest (local.get $x))))
            (local.set $y (f64x2.sub (local.get $y) (f64x2.nearest (local.get $y))))
            (local.set $even
              (f64x2.add
                (local.get $even)
                (f64x2.mul (v128.load offset=196608 (local.get $at)) (f64x2.mul (local.get $x) (local.get $x)))))
            (local.set $odd
              (f64x2.add
                (local.get $odd)
                (f64x2.mul (v128.load offset=196624 (local.get $at)) (f64x2.mul (local.get $y) (local.get $y)))))
            (local.set $at (i32.add (local.get $at) (i32.const 32)))
            (br $four)))
        (block $rest
          (loop $single
            (br_if $rest (i32.ge_u (local.get $at) (local.get $to)))
            (if (f64.eq (local.get $points) (f64.const 1))
              (then (local.set $one (f64.load offset=262144 (local.get $at))))
              (else
                (local.set $one
                  (f64.add
                    (f64.load offset=65536 (local.get $at))
                    (f64.mul
                      (f64x2.extract_lane 0 (local.get $share))
                      (f64.load offset=131072 (local.get $at)))))))
            (local.set $one (f64.mul (local.get $one) (local.get $perScale)))
            (local.set $one (f64.sub (local.get $one) (f64.nearest (local.get $one))))
            (local.set $even
              (f64x2.replace_lane 0 (local.get $even)
                (f64.add
                  (f64x2.extract_lane 0 (local.get $even))
                  (f64.mul
                    (f64.load offset=196608 (local.get $at))
                    (f64.mul (local.get $one) (local.get $one))))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br $single)))
        (local.set $even (f64x2.add (local.get $even) (local.get $odd)))
        (local.set $total
          (f64.add
            (local.get $total)
            (f64.add
              (f64x2.extract_lane 0 (local.get $even))
              (f64x2.extract_lane 1 (local.get $even)))))
        (local.set $point (f64.add (local.get $point) (f64.const 1)))
        (br $next)))
    (local.get $total))

  ;; What is clipped costs at least that much under any range within [lowest, highest].
  (func $atLeast (export "atLeast") (param $lowest f64) (param $highest f64) (result f64)
    (local $all i32)
    (local.set $all (i32.shl (global.get $bins) (i32.const 3)))
    (f64.sub
      (f64.add
        (call $beyond
          (i32.const 0)
          (call $before (f64.sub (local.get $lowest) (global.get $width)))
          (local.get $lowest))
        (call $beyond
          (call $before (f64.add (local.get $highest) (global.get $width)))
          (local.get $all)
          (local.get $highest)))
      (f64.mul (f64.const 1e-10) (f64.load offset=458880 (local.get $all)))))

  ;; The squared error with levels from lowest to highest in steps of scale, or some larger number than bound.
  (func (export "error") (param $lowest f64) (param $highest f64) (param $scale f64) (param $bound f64) (result f64)
    (local $total f64) (local $from i32) (local $to i32) (local $stop i32) (local $points f64) (local $unit f64)
    (local.set $to (i32.shl (global.get $bins) (i32.const 3)))
    (if (f64.lt (local.get $bound) (f64.const inf))
      (then
        (local.set $total (call $atLeast (local.get $lowest) (local.get $highest)))
        (if (f64.gt (local.get $total) (local.get $bound)) (then (return (local.get $total))))
        (local.set $total (f64.const 0))))
    (local.set $unit (f64.sub (local.get $lowest) (f64.div (local.get $scale) (f64.const 2))))
    (block $inside
      (loop $below
        (br_if $inside (i32.ge_u (local.get $from) (local.get $to)))
        (br_if $inside (f64.ge (f64.load offset=65536 (local.get $from)) (local.get $unit)))
        (local.set $total
          (f64.add
            (local.get $total)
            (call $clipped (local.get $from) (local.get $lowest) (local.get $highest) (local.get $scale))))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (br $below)))
    (local.set $unit (f64.add (local.get $highest) (f64.div (local.get $scale) (f64.const 2))))
    (block $under
      (loop $above
        (br_if $under (i32.le_u (local.get $to) (local.get $from)))
        (local.set $stop (i32.sub (local.get $to) (i32.const 8)))
        (br_if $under
          (f64.le
            (f64.add (f64.load offset=65536 (local.get $stop)) (f64.load offset=131072 (local.get $stop)))
            (local.get $unit)))
        (local.set $to (local.get $stop))
        (local.set $total
          (f64.add
            (local.get $total)
            (call $clipped (local.get $to) (local.get $lowest) (local.get $highest) (local.get $scale))))
        (if (f64.gt (local.get $total) (local.get $bound)) (then (return (local.get $total))))
        (br $above)))
    (local.set $points (call $points (global.get $width) (local.get $scale)))
    (local.set $unit (f64.div (f64.mul (local.get $scale) (local.get $scale)) (local.get $points)))
    (block $done
      (loop $stretch
        (br_if $done (i32.ge_u (local.get $from) (local.get $to)))
        (br_if $done (f64.gt (local.get $total) (local.get $bound)))
        (local.set $stop (i32.add (local.get $from) (i32.const 2048)))
        (if (i32.gt_u (local.get $stop) (local.get $to)) (then (local.set $stop (local.get $to))))
        (local.set $total
          (f64.add
            (local.get $total)
            (f64.mul
              (local.get $unit)
              (call $rounded
                (local.get $from)
                (local.get $stop)
                (local.get $points)
                (f64.div (f64.const 1) (local.get $scale))))))
        (local.set $from (local.get $stop))
        (br $stretch)))
    (local.get $total))

  ;; Adds the counts at 0 of bins i of n, each as its centre (first + i + 0.5) * width, to the codes at 65536:
  ;; nearest(x / scale) + shift, kept within 0 to last. Returns how many lie outside [lowest, highest].
  (func (export "codes") (param $n i32) (param $first f64) (param $size f64) (param $scale f64) (param $shift f64)
    (param $last f64) (param $lowest f64) (param $highest f64) (result f64)
    (local $i i32) (local $at i32) (local $count f64) (local $x f64) (local $clipped f64)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $count (f64.load (i32.shl (local.get $i) (i32.const 3))))
        (local.set $x
          (f64.mul
            (f64.add (f64.add (local.get $first) (f64.convert_i32_u (local.get $i))) (f64.const 0.5))
            (local.get $size)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (f64.eq (local.get $count) (f64.const 0)))
        (if (i32.or
              (f64.gt (local.get $x) (local.get $highest))
              (f64.lt (local.get $x) (local.get $lowest)))
          (then (local.set $clipped (f64.add (local.get $clipped) (local.get $count)))))
        (local.set $at
          (i32.shl
            (i32.trunc_sat_f64_s
              (f64.min
                (f64.max
                  (f64.add (f64.nearest (f64.div (local.get $x) (local.get $scale))) (local.get $shift))
                  (f64.const 0))
                (local.get $last)))
            (i32.const 3)))
        (f64.store offset=65536 (local.get $at)
          (f64.add (f64.load offset=65536 (local.get $at)) (local.get $count)))
        (br $next)))
    (local.get $clipped))

  ;; ln x of a normal positive number: x = m * 2^e with m from sqrt(1/2) to sqrt(2), and
  ;; ln m = 2 * (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1), |s| < 0.172.
  (func $log (param $x f64) (result f64)
    (local $bits i64) (local $e f64) (local $s f64) (local $q f64) (local $p f64)
    (local.set $bits (i64.sub (i64.reinterpret_f64 (local.get $x)) (i64.const 0x3fe6a09e667f3bcd)))
    (local.set $e (f64.convert_i64_s (i64.shr_s (local.get $bits) (i64.const 52))))
    (local.set $x
      (f64.reinterpret_i64
        (i64.add
          (i64.and (local.get $bits) (i64.const 0x000fffffffffffff))
          (i64.const 0x3fe6a09e667f3bcd))))
    (local.set $s
      (f64.div (f64.sub (local.get $x) (f64.const 1)) (f64.add (local.get $x) (f64.const 1))))
    (local.set $q (f64.mul (local.get $s) (local.get $s)))
    (local.set $p (f64.const 0.06666666666666667))
    (local.set $p (f64.add (f64.const 0.07692307692307693) (f64.mul (local.get $q) (local.get $p))))
    (local.set $p (f64.add (f64.const 0.09090909090909091) (f64.mul (local.get $q) (local.get $p))))
    (local.set $p (f64.add (f64.const 0.1111111111111111) (f64.mul (local.get $q) (local.get $p))))
    (local.set $p (f64.add (f64.const 0.14285714285714285) (f64.mul (local.get $q) (local.get $p))))
    (local.set $p (f64.add (f64.const 0.2) (f64.mul (local.get $q) (local.get $p))))
    (local.set $p (f64.add (f64.const 0.3333333333333333) (f64.mul (local.get $q) (local.get $p))))
    (local.set $p (f64.add (f64.const 1) (f64.mul (local.get $q) (local.get $p))))
    (f64.add
      (f64.mul (local.get $e) (f64.const 0.6931471805599453))
      (f64.mul (f64.mul (f64.const 2) (local.get $s)) (local.get $p))))

  ;; Entropy in nats of the n codes at 65536 as shares of all.
  (func (export "entropy") (param $n i32) (param $all f64) (result f64)
    (local $at i32) (local $end i32) (local $share f64) (local $sum f64)
    (local.set $end (i32.shl (local.get $n) (i32.const 3)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $share (f64.div (f64.load offset=65536 (local.get $at)) (local.get $all)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (f64.eq (local.get $share) (f64.const 0)))
        (local.set $sum
          (f64.sub (local.get $sum) (f64.mul (local.get $share) (call $log (local.get $share)))))
        (br $next)))
    (local.get $sum))

  ;; Of the n counts at 0, bin first + i holding |x| in [b, b + 1) widths: the magnitude in widths that so many elements
  ;; exceed, searched from the bin largest inwards; -1 where fewer lie outside of 0.
  (func (export "magnitude") (param $n i32) (param $first i32) (param $largest i32) (param $left f64) (result f64)
    (local $bin i32) (local $times f64)
    (local.set $bin (local.get $largest))
    (block $done
      (loop $next
        (br_if $done (i32.lt_s (local.get $bin) (i32.const 0)))
        (local.set $times
          (f64.add
            (call $at (i32.sub (local.get $bin) (local.get $first)) (local.get $n))
            (call $at (i32.sub (i32.sub (i32.const -1) (local.get $bin)) (local.get $first)) (local.get $n))))
        (if (i32.and
              (f64.gt (local.get $times) (f64.const 0))
              (f64.ge (local.get $times) (local.get $left)))
          (then
            (return
              (f64.sub
                (f64.add (f64.convert_i32_s (local.get $bin)) (f64.const 1))
                (f64.div (local.get $left) (local.get $times))))))
        (local.set $left (f64.sub (local.get $left) (local.get $times)))
        (local.set $bin (i32.sub (local.get $bin) (i32.const 1)))
        (br $next)))
    (f64.const -1))

  (func $at (param $i i32) (param $n i32) (result f64)
    (if (result f64) (i32.lt_u (local.get $i) (local.get $n))
      (then (f64.load (i32.shl (local.get $i) (i32.const 3))))
      (else (f64.const 0)))))
