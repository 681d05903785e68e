;; Statistics of float32 elements: extremes and sums of a stretch that fits into the first-level cache, then its counts
;; per bin. Neighbours often fall into one bin, and a counter that was just written is slow to read again: every lane
;; counts into a table of its own, and `fold` adds the four up.
;;
;; Built by scripts/build-kernels.mjs into histogram-binary.ts.
(module
  (import "host" "memory" (memory 1))

  ;; Tables of 8192 counters at 0, 32768, 65536 and 98304.

  ;; Of the stretch scanned last.
  (global $min (mut f32) (f32.const 0))
  (global $max (mut f32) (f32.const 0))
  (global $sum (mut f64) (f64.const 0))
  (global $squares (mut f64) (f64.const 0))
  (global $zeros (mut i32) (i32.const 0))

  ;; Of everything taken since `begin`.
  (global $allMin (mut f32) (f32.const 0))
  (global $allMax (mut f32) (f32.const 0))
  (global $allSum (mut f64) (f64.const 0))
  (global $allSquares (mut f64) (f64.const 0))
  (global $allZeros (mut i32) (i32.const 0))

  ;; The row under way, and the smallest positive and the largest standard deviation of the rows before.
  (global $length (mut i32) (i32.const 1))
  (global $left (mut i32) (i32.const 1))
  (global $rowSum (mut f64) (f64.const 0))
  (global $rowSquares (mut f64) (f64.const 0))
  (global $least (mut f64) (f64.const 0))
  (global $largest (mut f64) (f64.const 0))

  (func $low (param $lanes v128) (result f32)
    (f32.min
      (f32.min (f32x4.extract_lane 0 (local.get $lanes)) (f32x4.extract_lane 1 (local.get $lanes)))
      (f32.min (f32x4.extract_lane 2 (local.get $lanes)) (f32x4.extract_lane 3 (local.get $lanes)))))

  (func $high (param $lanes v128) (result f32)
    (f32.max
      (f32.max (f32x4.extract_lane 0 (local.get $lanes)) (f32x4.extract_lane 1 (local.get $lanes)))
      (f32.max (f32x4.extract_lane 2 (local.get $lanes)) (f32x4.extract_lane 3 (local.get $lanes)))))

  (func $four (param $lanes v128) (result i32)
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $lanes)) (i32x4.extract_lane 1 (local.get $lanes)))
      (i32.add (i32x4.extract_lane 2 (local.get $lanes)) (i32x4.extract_lane 3 (local.get $lanes)))))

  ;; Extremes, sums and zeros of n floats at p. The sum of squares is finite if and only if all of them are: a square of
  ;; a float32 is far from the largest float64.
  (func $scan (param $p i32) (param $n i32)
    (local $end i32) (local $last i32) (local $x v128) (local $d v128) (local $e v128)
    (local $lanesMin v128) (local $lanesMax v128) (local $lanesZero v128)
    (local $s0 v128) (local $s1 v128) (local $q0 v128) (local $q1 v128)
    (local $one f32) (local $total f64) (local $totalSquares f64) (local $zero i32)
    (local.set $lanesMin (v128.const f32x4 inf inf inf inf))
    (local.set $lanesMax (v128.const f32x4 -inf -inf -inf -inf))
    (local.set $last (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
    (local.set $end (i32.add (local.get $p) (i32.shl (i32.and (local.get $n) (i32.const -4)) (i32.const 2))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $x (v128.load (local.get $p)))
        (local.set $lanesMin (f32x4.pmin (local.get $lanesMin) (local.get $x)))
        (local.set $lanesMax (f32x4.pmax (local.get $lanesMax) (local.get $x)))
        ;; A true lane is -1.
        (local.set $lanesZero
          (i32x4.sub (local.get $lanesZero) (f32x4.eq (local.get $x) (v128.const f32x4 0 0 0 0))))
        (local.set $d (f64x2.promote_low_f32x4 (local.get $x)))
        (local.set $e
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x))))
        (local.set $s0 (f64x2.add (local.get $s0) (local.get $d)))
        (local.set $s1 (f64x2.add (local.get $s1) (local.get $e)))
        (local.set $q0 (f64x2.add (local.get $q0) (f64x2.mul (local.get $d) (local.get $d))))
        (local.set $q1 (f64x2.add (local.get $q1) (f64x2.mul (local.get $e) (local.get $e))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (br $vectors)))
    (local.set $s0 (f64x2.add (local.get $s0) (local.get $s1)))
    (local.set $q0 (f64x2.add (local.get $q0) (local.get $q1)))
    (local.set $total (f64.add (f64x2.extract_lane 0 (local.get $s0)) (f64x2.extract_lane 1 (local.get $s0))))
    (local.set $totalSquares
      (f64.add (f64x2.extract_lane 0 (local.get $q0)) (f64x2.extract_lane 1 (local.get $q0))))
    (local.set $zero (call $four (local.get $lanesZero)))
    (block $complete
      (loop $rest
        (br_if $complete (i32.ge_u (local.get $p) (local.get $last)))
        (local.set $one (f32.load (local.get $p)))
        (local.set $lanesMin (f32x4.pmin (local.get $lanesMin) (f32x4.splat (local.get $one))))
        (local.set $lanesMax (f32x4.pmax (local.get $lanesMax) (f32x4.splat (local.get $one))))
        (local.set $zero (i32.add (local.get $zero) (f32.eq (local.get $one) (f32.const 0))))
        (local.set $total (f64.add (local.get $total) (f64.promote_f32 (local.get $one))))
        (local.set $totalSquares
          (f64.add
            (local.get $totalSquares)
            (f64.mul (f64.promote_f32 (local.get $one)) (f64.promote_f32 (local.get $one)))))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (br $rest)))
    (global.set $min (call $low (local.get $lanesMin)))
    (global.set $max (call $high (local.get $lanesMax)))
    (global.set $sum (local.get $total))
    (global.set $squares (local.get $totalSquares))
    (global.set $zeros (local.get $zero)))

  ;; Counts n floats at p: bin = floor(x * perWidth) - first, which must lie within 0 to 8191. A sum with 1.5 * 2^21 has
  ;; four times the whole number in its last bits, which is the address of a counter.
  (func $count (param $p i32) (param $n i32) (param $perWidth f32) (param $first i32)
    (local $end i32) (local $stop i32) (local $bin v128) (local $scale v128) (local $shift v128) (local $at i64)
    (local $one i32)
    (local.set $scale (f32x4.splat (local.get $perWidth)))
    (local.set $first
      (i32.add (i32.shl (local.get $first) (i32.const 2)) (i32.reinterpret_f32 (f32.const 3145728))))
    (local.set $shift (i32x4.splat (local.get $first)))
    (local.set $stop (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
    (local.set $end (i32.add (local.get $p) (i32.shl (i32.and (local.get $n) (i32.const -4)) (i32.const 2))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $bin
          (v128.and
            (i32x4.sub
              (f32x4.add
                (f32x4.floor (f32x4.mul (v128.load (local.get $p)) (local.get $scale)))
                (v128.const f32x4 3145728 3145728 3145728 3145728))
              (local.get $shift))
            (v128.const i32x4 32764 32764 32764 32764)))
        (local.set $at (i64x2.extract_lane 0 (local.get $bin)))
        (local.set $one (i32.wrap_i64 (local.get $at)))
        (i32.store (local.get $one) (i32.add (i32.load (local.get $one)) (i32.const 1)))
        (local.set $one (i32.wrap_i64 (i64.shr_u (local.get $at) (i64.const 32))))
        (i32.store offset=32768 (local.get $one) (i32.add (i32.load offset=32768 (local.get $one)) (i32.const 1)))
        (local.set $at (i64x2.extract_lane 1 (local.get $bin)))
        (local.set $one (i32.wrap_i64 (local.get $at)))
        (i32.store offset=65536 (local.get $one) (i32.add (i32.load offset=65536 (local.get $one)) (i32.const 1)))
        (local.set $one (i32.wrap_i64 (i64.shr_u (local.get $at) (i64.const 32))))
        (i32.store offset=98304 (local.get $one) (i32.add (i32.load offset=98304 (local.get $one)) (i32.const 1)))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (br $vectors)))
    (block $complete
      (loop $rest
        (br_if $complete (i32.ge_u (local.get $p) (local.get $stop)))
        (local.set $one
          (i32.and
            (i32.sub
              (i32.reinterpret_f32
                (f32.add
                  (f32.floor (f32.mul (f32.load (local.get $p)) (local.get $perWidth)))
                  (f32.const 3145728)))
              (local.get $first))
            (i32.const 32764)))
        (i32.store (local.get $one) (i32.add (i32.load (local.get $one)) (i32.const 1)))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (br $rest))))

  ;; Starts anew, with rows of so many elements.
  (func (export "begin") (param $row i32)
    (global.set $allMin (f32.const inf))
    (global.set $allMax (f32.const -inf))
    (global.set $allSum (f64.const 0))
    (global.set $allSquares (f64.const 0))
    (global.set $allZeros (i32.const 0))
    (global.set $length (local.get $row))
    (global.set $left (local.get $row))
    (global.set $rowSum (f64.const 0))
    (global.set $rowSquares (f64.const 0))
    (global.set $least (f64.const inf))
    (global.set $largest (f64.const 0)))

  ;; Takes n floats at p in, stretch by stretch, up to one that is not finite or lies outside [low, high], for which bins
  ;; are. Returns how many it took.
  (func (export "take") (param $p i32) (param $n i32) (param $perWidth f32) (param $first i32)
    (param $low f32) (param $high f32) (result i32)
    (local $taken i32) (local $part i32) (local $variance f64) (local $mean f64)
    (block $refused
      (loop $next
        (br_if $refused (i32.ge_u (local.get $taken) (local.get $n)))
        (local.set $part (i32.sub (local.get $n) (local.get $taken)))
        (if (i32.gt_u (local.get $part) (i32.const 2048)) (then (local.set $part (i32.const 2048))))
        (if (i32.gt_u (local.get $part) (global.get $left)) (then (local.set $part (global.get $left))))
        (call $scan (local.get $p) (local.get $part))
        (br_if $refused (f64.ne (f64.sub (global.get $squares) (global.get $squares)) (f64.const 0)))
        (br_if $refused (f32.lt (global.get $min) (local.get $low)))
        (br_if $refused (f32.gt (global.get $max) (local.get $high)))
        (call $count (local.get $p) (local.get $part) (local.get $perWidth) (local.get $first))
        (global.set $allMin (f32.min (global.get $allMin) (global.get $min)))
        (global.set $allMax (f32.max (global.get $allMax) (global.get $max)))
        (global.set $allZeros (i32.add (global.get $allZeros) (global.get $zeros)))
        (global.set $rowSum (f64.add (global.get $rowSum) (global.get $sum)))
        (global.set $rowSquares (f64.add (global.get $rowSquares) (global.get $squares)))
        (global.set $left (i32.sub (global.get $left) (local.get $part)))
        (local.set $taken (i32.add (local.get $taken) (local.get $part)))
        (local.set $p (i32.add (local.get $p) (i32.shl (local.get $part) (i32.const 2))))
        (br_if $next (global.get $left))
        (global.set $allSum (f64.add (global.get $allSum) (global.get $rowSum)))
        (global.set $allSquares (f64.add (global.get $allSquares) (global.get $rowSquares)))
        (local.set $mean (f64.div (global.get $rowSum) (f64.convert_i32_u (global.get $length))))
        (local.set $variance (f64.div (global.get $rowSquares) (f64.convert_i32_u (global.get $length))))
        (global.set $rowSum (f64.const 0))
        (global.set $rowSquares (f64.const 0))
        (global.set $left (global.get $length))
        ;; What is left of a constant is rounding.
        (local.set $mean
          (f64.sub (local.get $variance) (f64.mul (local.get $mean) (local.get $mean))))
        (br_if $next
          (i32.eqz (f64.gt (local.get $mean) (f64.mul (local.get $variance) (f64.const 1e-13)))))
        (local.set $variance (f64.sqrt (local.get $mean)))
        (global.set $least (f64.min (global.get $least) (local.get $variance)))
        (global.set $largest (f64.max (global.get $largest) (local.get $variance)))
        (br $next)))
    (local.get $taken))

  ;; Of everything taken since `begin`, written to out: smallest and largest (float32), sum, sum of squares, smallest
  ;; positive and largest deviation of a whole row (float64), number of zeros (int32).
  (func (export "finish") (param $out i32)
    (f32.store (local.get $out) (global.get $allMin))
    (f32.store offset=4 (local.get $out) (global.get $allMax))
    (f64.store offset=8 (local.get $out) (f64.add (global.get $allSum) (global.get $rowSum)))
    (f64.store offset=16 (local.get $out) (f64.add (global.get $allSquares) (global.get $rowSquares)))
    (f64.store offset=24 (local.get $out) (global.get $least))
    (f64.store offset=32 (local.get $out) (global.get $largest))
    (i32.store offset=40 (local.get $out) (global.get $allZeros)))

  ;; Smallest and largest of n floats at p, written to out; NaN for both where one of them is not finite.
  (func (export "extremes") (param $p i32) (param $n i32) (param $out i32)
    (local $end i32) (local $last i32) (local $x v128) (local $lanesMin v128) (local $lanesMax v128)
    (local $bad v128) (local $one f32) (local $wrong i32)
    (local.set $lanesMin (v128.const f32x4 inf inf inf inf))
    (local.set $lanesMax (v128.const f32x4 -inf -inf -inf -inf))
    (local.set $last (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
    (local.set $end (i32.add (local.get $p) (i32.shl (i32.and (local.get $n) (i32.const -4)) (i32.const 2))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $x (v128.load (local.get $p)))
        (local.set $lanesMin (f32x4.pmin (local.get $lanesMin) (local.get $x)))
        (local.set $lanesMax (f32x4.pmax (local.get $lanesMax) (local.get $x)))
        ;; x - x is 0 for every finite x and NaN for the others.
        (local.set $bad (v128.or (local.get $bad) (f32x4.sub (local.get $x) (local.get $x))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (br $vectors)))
    (block $complete
      (loop $rest
        (br_if $complete (i32.ge_u (local.get $p) (local.get $last)))
        (local.set $one (f32.load (local.get $p)))
        (local.set $x (f32x4.splat (local.get $one)))
        (local.set $lanesMin (f32x4.pmin (local.get $lanesMin) (local.get $x)))
        (local.set $lanesMax (f32x4.pmax (local.get $lanesMax) (local.get $x)))
        (local.set $bad (v128.or (local.get $bad) (f32x4.sub (local.get $x) (local.get $x))))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (br $rest)))
    (local.set $wrong (v128.any_true (f32x4.ne (local.get $bad) (v128.const f32x4 0 0 0 0))))
    (f32.store (local.get $out) (select (f32.const nan) (call $low (local.get $lanesMin)) (local.get $wrong)))
    (f32.store offset=4 (local.get $out)
      (select (f32.const nan) (call $high (local.get $lanesMax)) (local.get $wrong))))

  ;; Adds the four tables over bins [from, to), which are rounded outwards to fours, to the float64 counts at target and
  ;; empties them.
  (func (export "fold") (param $from i32) (param $to i32) (param $target i32)
    (local $p i32) (local $end i32) (local $sum v128)
    (local.set $p (i32.shl (i32.and (local.get $from) (i32.const -4)) (i32.const 2)))
    (local.set $end (i32.shl (local.get $to) (i32.const 2)))
    (local.set $target (i32.add (local.get $target) (i32.shl (local.get $p) (i32.const 1))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $sum
          (i32x4.add
            (i32x4.add (v128.load (local.get $p)) (v128.load offset=32768 (local.get $p)))
            (i32x4.add (v128.load offset=65536 (local.get $p)) (v128.load offset=98304 (local.get $p)))))
        (v128.store (local.get $target)
          (f64x2.add (v128.load (local.get $target)) (f64x2.convert_low_i32x4_u (local.get $sum))))
        (v128.store offset=16 (local.get $target)
          (f64x2.add
            (v128.load offset=16 (local.get $target))
            (f64x2.convert_low_i32x4_u
              (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $sum) (local.get $sum)))))
        (v128.store (local.get $p) (v128.const i32x4 0 0 0 0))
        (v128.store offset=32768 (local.get $p) (v128.const i32x4 0 0 0 0))
        (v128.store offset=65536 (local.get $p) (v128.const i32x4 0 0 0 0))
        (v128.store offset=98304 (local.get $p) (v128.const i32x4 0 0 0 0))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $target (i32.add (local.get $target) (i32.const 32)))
        (br $vectors))))

  ;; Moves n float64 counts at `from`, of bins first + i, to bins of 2^shift times the width: bin j of them is at
  ;; target + 8 * (j - start).
  (func (export "regroup") (param $from i32) (param $n i32) (param $first i32) (param $shift i32) (param $start i32)
    (param $target i32)
    (local $i i32) (local $at i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $at
          (i32.add
            (local.get $target)
            (i32.shl
              (i32.sub
                (i32.shr_s (i32.add (local.get $first) (local.get $i)) (local.get $shift))
                (local.get $start))
              (i32.const 3))))
        (f64.store (local.get $at) (f64.add (f64.load (local.get $at)) (f64.load (local.get $from))))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))))
